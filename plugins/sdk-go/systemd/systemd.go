// Package systemd gives the systemd unit of the process. In plugin.toml: "systemd".
//
// The unit is the one that the root-owned control group names, and what is said about it comes from
// the service manager. A daemon without a service manager says witgate.ErrUnsupported.
package systemd

import "witgate.dev/sdk/internal/provided"

// UnitInfo is one unit.
type UnitInfo struct {
	// ID is nginx.service, or postgresql@16-main.service.
	ID string `json:"id"`
	// FragmentPath is the path of its unit file; empty if it has none.
	FragmentPath string `json:"fragment_path"`
	// Slice is its slice; empty if it has none.
	Slice string `json:"slice"`
	// ActiveState is active, activating and so on.
	ActiveState string `json:"active_state"`
	// SubState is running, exited and so on.
	SubState string `json:"sub_state"`
	// InvocationID is 32 hexadecimal digits, new with each start of the unit; or empty.
	InvocationID string `json:"invocation_id"`
	// User is User=, if it is set; or empty.
	User string `json:"user"`
}

// Unit reads the fact systemd.unit, level kernel; false if the process is in no unit.
func Unit() (unit UnitInfo, found bool, err error) { return by.Get().Unit() }

// Provider answers the functions of this package.
type Provider interface {
	Unit() (unit UnitInfo, found bool, err error)
}

var by = provided.By[Provider]{Interface: "systemd"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
