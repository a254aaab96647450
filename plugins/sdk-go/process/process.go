// Package process gives what the kernel knows about the process that is being attested. Every
// plugin may use it.
//
// There is exactly one subject in a call and no handle to it: no function here or elsewhere takes a
// process number, and none gives one.
package process

import "witgate.dev/sdk/internal/provided"

// CredentialSet is who the process is to the kernel, as captured by the socket when the process
// connected.
type CredentialSet struct {
	// UID is the effective user id.
	UID uint32 `json:"uid"`
	// GID is the effective group id.
	GID uint32 `json:"gid"`
	// Groups are the supplementary group ids, ascending.
	Groups []uint32 `json:"groups"`
}

// NameSet is the credentials' names in the host's user and group database.
type NameSet struct {
	// User is the name of the user id; empty if the database has none.
	User string `json:"user"`
	// Group is the name of the group id; empty if the database has none.
	Group string `json:"group"`
	// Groups are the names of the supplementary groups, in the same order; empty for those without.
	Groups []string `json:"groups"`
}

// PrivilegeSet is what the process may still do. Sets of capabilities are bit masks by capability
// number.
type PrivilegeSet struct {
	// Seccomp is 0 for none, 1 for strict, 2 for filter.
	Seccomp uint8 `json:"seccomp"`
	// NoNewPrivs says that PR_SET_NO_NEW_PRIVS has been set.
	NoNewPrivs bool `json:"no_new_privs"`
	// Inheritable capabilities.
	Inheritable uint64 `json:"inheritable"`
	// Permitted capabilities.
	Permitted uint64 `json:"permitted"`
	// Effective capabilities.
	Effective uint64 `json:"effective"`
	// Bounding is the capability bounding set.
	Bounding uint64 `json:"bounding"`
	// Ambient capabilities.
	Ambient uint64 `json:"ambient"`
}

// Credentials reads the fact process.credentials, level kernel.
func Credentials() (CredentialSet, error) { return by.Get().Credentials() }

// Names reads the fact process.names, level kernel: the host resolves them, a plugin reads no files.
func Names() (NameSet, error) { return by.Get().Names() }

// Label reads the fact process.label, level kernel: the LSM label of the connecting socket
// (AppArmor, SELinux, Smack). It is witgate.ErrUnsupported where no module labels sockets.
func Label() (string, error) { return by.Get().Label() }

// Privileges reads the fact process.privileges, level kernel.
func Privileges() (PrivilegeSet, error) { return by.Get().Privileges() }

// State reads the fact process.state, level kernel: the state letter of proc(5), S, R, D and so on.
func State() (string, error) { return by.Get().State() }

// StartTime reads the fact process.start-time, level kernel: clock ticks from boot until the process
// began. The unit is 10 ms, so it names no process by itself.
func StartTime() (uint64, error) { return by.Get().StartTime() }

// Comm reads the fact process.comm, level claimed: the name the process gives itself; any bytes, at
// most 15.
func Comm() ([]byte, error) { return by.Get().Comm() }

// Provider answers the functions of this package.
type Provider interface {
	Credentials() (CredentialSet, error)
	Names() (NameSet, error)
	Label() (string, error)
	Privileges() (PrivilegeSet, error)
	State() (string, error)
	StartTime() (uint64, error)
	Comm() ([]byte, error)
}

var by = provided.By[Provider]{Interface: "process"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
