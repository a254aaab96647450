//go:build wasip1

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_cgroups"
	"witgate.dev/sdk/cgroups"
)

func init() { cgroups.Provide(ofCgroups{}) }

type ofCgroups struct{}

func (ofCgroups) Trusted() ([]cgroups.TrustedEntry, error) {
	found, err := fact(bindings.Trusted())
	entries := make([]cgroups.TrustedEntry, len(found))
	for i, entry := range found {
		entries[i] = cgroups.TrustedEntry(entry)
	}
	return entries, err
}

func (ofCgroups) Claimed() ([]cgroups.ClaimedEntry, error) {
	found, err := fact(bindings.Claimed())
	entries := make([]cgroups.ClaimedEntry, len(found))
	for i, entry := range found {
		entries[i] = cgroups.ClaimedEntry(entry)
	}
	return entries, err
}
