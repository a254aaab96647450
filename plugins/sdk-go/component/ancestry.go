//go:build wasip1 && witgate_ancestry

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_ancestry"
	"witgate.dev/sdk/ancestry"
)

func init() { ancestry.Provide(ofAncestry{}) }

type ofAncestry struct{}

func (ofAncestry) Parents() ([]ancestry.Ancestor, error) {
	found, err := fact(bindings.Parents())
	parents := make([]ancestry.Ancestor, len(found))
	for i, parent := range found {
		parents[i] = ancestry.Ancestor{
			UID: parent.Uid, GID: parent.Gid, Comm: parent.Comm,
			Executable: text(parent.Executable), StartTime: parent.StartTime,
		}
	}
	return parents, err
}
