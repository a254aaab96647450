// Package cgroups gives where the process stands in the control group hierarchies. Every plugin may
// use it.
//
// Names of control groups can be chosen by whoever may create directories, so a path is evidence
// only as far as nobody but root could have made it. The two functions are two facts because they
// are worth different things: use Trusted unless you want to show what the process claims.
package cgroups

import "witgate.dev/sdk/internal/provided"

// TrustedEntry is one hierarchy, and the part of the path that only root could have made.
type TrustedEntry struct {
	// Hierarchy is its number; 0 is the unified (v2) hierarchy.
	Hierarchy uint32 `json:"hierarchy"`
	// Controllers, or name=systemd; empty for v2.
	Controllers []string `json:"controllers"`
	// Prefix is the longest prefix of the path of which every directory, and its cgroup.procs,
	// tasks and cgroup.threads, belong to root and can be written by nobody else. Absolute, without
	// a slash at the end except for the root itself.
	Prefix string `json:"prefix"`
	// Delegated says that the path goes on below Prefix, through directories somebody else may
	// write.
	Delegated bool `json:"delegated"`
	// Mounted says that the hierarchy is mounted on this host, so ownership could be checked. If it
	// is not, Prefix is / and the entry says nothing.
	Mounted bool `json:"mounted"`
}

// ClaimedEntry is one line of proc(5) cgroup.
type ClaimedEntry struct {
	// Hierarchy is its number; 0 is the unified (v2) hierarchy.
	Hierarchy uint32 `json:"hierarchy"`
	// Controllers, or name=systemd; empty for v2.
	Controllers []string `json:"controllers"`
	// Path is the whole path.
	Path string `json:"path"`
}

// Trusted reads the fact cgroups.trusted, level kernel.
func Trusted() ([]TrustedEntry, error) { return by.Get().Trusted() }

// Claimed reads the fact cgroups.claimed, level claimed.
func Claimed() ([]ClaimedEntry, error) { return by.Get().Claimed() }

// Provider answers the functions of this package.
type Provider interface {
	Trusted() ([]TrustedEntry, error)
	Claimed() ([]ClaimedEntry, error)
}

var by = provided.By[Provider]{Interface: "cgroups"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
