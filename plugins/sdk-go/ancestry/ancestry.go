// Package ancestry gives the parents of the process. In plugin.toml: "ancestry".
//
// A parent is whoever the kernel names as one at this moment: after a parent exits, another process
// takes its place. Level claimed.
package ancestry

import "witgate.dev/sdk/internal/provided"

// Ancestor is one of them.
type Ancestor struct {
	// UID is the effective user id.
	UID uint32
	// GID is the effective group id.
	GID uint32
	// Comm is the name it gives itself; any bytes, at most 15.
	Comm []byte
	// Executable is the path of its executable; empty if that cannot be read.
	Executable string
	// StartTime is in clock ticks from boot until it began.
	StartTime uint64
}

// Parents reads the fact ancestry.parents: nearest first, at most 16, without the process itself.
func Parents() ([]Ancestor, error) { return by.Get().Parents() }

// Provider answers the functions of this package.
type Provider interface {
	Parents() ([]Ancestor, error)
}

var by = provided.By[Provider]{Interface: "ancestry"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
