//go:build wasip1 && witgate_systemd

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_systemd"
	"witgate.dev/sdk/systemd"
)

func init() { systemd.Provide(ofSystemd{}) }

type ofSystemd struct{}

func (ofSystemd) Unit() (systemd.UnitInfo, bool, error) {
	unit, found, err := maybe(bindings.Unit())
	return systemd.UnitInfo{
		ID: unit.Id, FragmentPath: text(unit.FragmentPath), Slice: text(unit.Slice),
		ActiveState: unit.ActiveState, SubState: unit.SubState,
		InvocationID: text(unit.InvocationId), User: text(unit.User),
	}, found, err
}
