// Package executable gives the program file behind the process. In plugin.toml: "executable".
//
// On stock Linux a hostile process of the same uid can forge all of this, and unless the request was
// challenged a program may have replaced itself before it was looked at: facts of this package are
// of level image at best, and claimed for an unchallenged request.
package executable

import "witgate.dev/sdk/internal/provided"

// Program is what the link exe leads to.
type Program struct {
	// Path in the process's own mount namespace, any bytes made printable. A deleted file keeps the
	// path it had; Deleted tells, never a suffix.
	Path string `json:"path"`
	// Device is the device number of the file system.
	Device uint64 `json:"device"`
	// Inode is its inode number.
	Inode uint64 `json:"inode"`
	// Size is its length in bytes.
	Size uint64 `json:"size"`
	// Deleted says that the file has no name any more.
	Deleted bool `json:"deleted"`
	// SameOnHost says that the path leads to this same file in the daemon's mount namespace.
	SameOnHost bool `json:"same_on_host"`
}

// Info reads the fact executable.info.
func Info() (Program, error) { return by.Get().Info() }

// Doubts reads the fact executable.doubts: what speaks against taking the process for the program
// that the link names, by name. None is no proof. Words may be added; these exist:
//
//   - deleted: the file has no name any more;
//   - exe_not_mapped: nothing of the file is mapped, so the link was set to it;
//   - foreign_mount: the path leads to another file, or to none, in the daemon's mount namespace;
//   - memfd: the file is memory that never had a name;
//   - nested_userns: the process lives in a user namespace other than the daemon's;
//   - traced: another process traces it and can make it do anything.
//
// With exe_not_mapped and nested_userns, where the link may be a forgery, Info and SHA256 are
// withheld.
func Doubts() ([]string, error) { return by.Get().Doubts() }

// SHA256 reads the fact executable.sha256: the digest of the file's content, 64 lower-case
// hexadecimal digits. It is witgate.ErrTooLarge over the operator's size limit.
func SHA256() (string, error) { return by.Get().SHA256() }

// Provider answers the functions of this package.
type Provider interface {
	Info() (Program, error)
	Doubts() ([]string, error)
	SHA256() (string, error)
}

var by = provided.By[Provider]{Interface: "executable"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
