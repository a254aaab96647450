//go:build wasip1

package component

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	bindings "witgate.dev/bindings/imports/witgate_attestor_types"
	"witgate.dev/sdk/witgate"
)

// fact makes a Go answer of a fact as the host tells it.
func fact[T any](told witTypes.Result[T, bindings.FactError]) (value T, err error) {
	if told.IsOk() {
		return told.Ok(), nil
	}
	switch failed := told.Err(); failed.Tag() {
	case bindings.FactError_Gone:
		return value, witgate.ErrGone
	case bindings.FactError_Denied:
		return value, witgate.ErrDenied
	case bindings.FactError_Unsupported:
		return value, witgate.ErrUnsupported
	case bindings.FactError_TooLarge:
		return value, witgate.ErrTooLarge
	default:
		return value, &witgate.IOError{Text: failed.Io()}
	}
}

// maybe is fact for what may not be there.
func maybe[T any](
	told witTypes.Result[witTypes.Option[T], bindings.FactError],
) (value T, found bool, err error) {
	option, err := fact(told)
	if option.IsNone() {
		return value, false, err
	}
	return option.Some(), true, nil
}

// text is a text that is empty if it is not there.
func text(option witTypes.Option[string]) string { return option.SomeOr("") }
