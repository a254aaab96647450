// Package namespaces gives the namespaces the process lives in. Every plugin may use it.
package namespaces

import "witgate.dev/sdk/internal/provided"

// Namespace is one of them.
type Namespace struct {
	// Kind is cgroup, ipc, mnt, net, pid, time, user or uts.
	Kind string `json:"kind"`
	// Inode is its inode number, which names it until the next boot.
	Inode uint64 `json:"inode"`
	// Host says that it is the one that the daemon lives in, which on a host is the host's own.
	Host bool `json:"host"`
}

// All reads the fact namespaces.all, level kernel.
func All() ([]Namespace, error) { return by.Get().All() }

// Provider answers the functions of this package.
type Provider interface {
	All() ([]Namespace, error)
}

var by = provided.By[Provider]{Interface: "namespaces"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
