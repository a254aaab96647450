//go:build wasip1 && witgate_files

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_files"
	"witgate.dev/sdk/files"
)

func init() { files.Provide(ofFiles{}) }

// ofFiles passes roots on as they are: they have the same numbers on both sides.
type ofFiles struct{}

func (ofFiles) Read(root files.Root, path string) ([]byte, bool, error) {
	return maybe(bindings.Read(uint8(root), path))
}

func (ofFiles) Entries(root files.Root, path string) ([]files.DirectoryEntry, bool, error) {
	list, found, err := maybe(bindings.Entries(uint8(root), path))
	entries := make([]files.DirectoryEntry, len(list))
	for i, entry := range list {
		entries[i] = files.DirectoryEntry(entry)
	}
	return entries, found, err
}

func (ofFiles) Status(root files.Root, path string) (files.FileStatus, bool, error) {
	status, found, err := maybe(bindings.Status(uint8(root), path))
	return files.FileStatus{
		Kind: status.Kind, Size: status.Size, Mode: status.Mode,
		UID: status.Uid, GID: status.Gid, Modified: status.Modified,
	}, found, err
}
