// Package files reads files of the host, or of what the process has for a root, which plugin.toml
// asks for by path: "files.host:/PATH" or "files.workload:/PATH"; a path that ends with / stands for
// everything below it. A path that plugin.toml does not ask for ends the call.
//
// Only regular files are read. Paths are absolute, without ., .. or doubled slashes.
package files

import "witgate.dev/sdk/internal/provided"

// Root is what a path is below.
type Root uint8

const (
	// Host is the daemon's own root. Fact files.host, level runtime: every directory on the way, and
	// the file, must belong to root (or the daemon's user) and be writable by nobody else, and none
	// may be a symbolic link; else witgate.ErrDenied.
	Host Root = iota
	// Workload is the root of the process. Fact files.workload, level claimed: whoever made that
	// root wrote the file. Symbolic links are followed inside that root, and never out of it.
	Workload
)

// DirectoryEntry is what is in a directory.
type DirectoryEntry struct {
	// Name of it; entries whose name is not UTF-8 are left out.
	Name string `json:"name"`
	// Kind is file, directory, symlink or other.
	Kind string `json:"kind"`
}

// FileStatus is what the file system says about a file.
type FileStatus struct {
	// Kind is file, directory or other.
	Kind string `json:"kind"`
	// Size is its length in bytes.
	Size uint64 `json:"size"`
	// Mode is its permission bits.
	Mode uint32 `json:"mode"`
	// UID is its owner, as the daemon sees it.
	UID uint32 `json:"uid"`
	// GID is its group, as the daemon sees it.
	GID uint32 `json:"gid"`
	// Modified is the last change of the content, in seconds since 1970.
	Modified int64 `json:"modified"`
}

// Read gives the content of a file; false if there is no such file. It is witgate.ErrTooLarge over
// 256 KiB.
func Read(root Root, path string) (content []byte, found bool, err error) {
	return by.Get().Read(root, path)
}

// Entries gives what is in a directory, by name; false if there is no such directory. It is
// witgate.ErrTooLarge over 1024 entries.
func Entries(root Root, path string) (entries []DirectoryEntry, found bool, err error) {
	return by.Get().Entries(root, path)
}

// Status tells about a file or directory; false if there is nothing of that name.
func Status(root Root, path string) (status FileStatus, found bool, err error) {
	return by.Get().Status(root, path)
}

// Provider answers the functions of this package.
type Provider interface {
	Read(root Root, path string) (content []byte, found bool, err error)
	Entries(root Root, path string) (entries []DirectoryEntry, found bool, err error)
	Status(root Root, path string) (status FileStatus, found bool, err error)
}

var by = provided.By[Provider]{Interface: "files"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
