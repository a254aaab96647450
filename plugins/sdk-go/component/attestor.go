//go:build wasip1

package component

import (
	"errors"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	bindings "witgate.dev/bindings/imports/witgate_attestor_attestor"
	"witgate.dev/sdk/internal/exported"
	"witgate.dev/sdk/internal/run"
	"witgate.dev/sdk/witgate"
)

// Describe is the export of that name.
func Describe() bindings.Manifest {
	manifest := attestor().Describe()
	keys := make([]bindings.SelectorKey, len(manifest.Keys))
	for i, key := range manifest.Keys {
		keys[i] = bindings.SelectorKey(key)
	}
	return bindings.Manifest{Keys: keys, ConfigSchema: manifest.ConfigSchema}
}

// Validate is the export of that name.
func Validate(settings string) witTypes.Result[witTypes.Unit, string] {
	if err := run.Validate(attestor(), settings); err != nil {
		return witTypes.Err[witTypes.Unit](valid(err.Error()))
	}
	return witTypes.Ok[witTypes.Unit, string](witTypes.Unit{})
}

// Attest is the export of that name.
func Attest() witTypes.Result[bindings.Report, bindings.Failure] {
	report, err := run.Attest(attestor())
	if err != nil {
		return witTypes.Err[bindings.Report](failure(err))
	}
	said := bindings.Report{
		Selectors: make([]bindings.Selector, len(report.Selectors)),
		Unknown:   make([]bindings.UnknownKey, len(report.Unknown)),
	}
	for i, selector := range report.Selectors {
		name := witTypes.None[string]()
		if selector.Name != "" {
			name = witTypes.Some(valid(selector.Name))
		}
		said.Selectors[i] = bindings.Selector{
			Key: valid(selector.Key), Name: name, Value: valid(selector.Value),
		}
	}
	for i, unknown := range report.Unknown {
		said.Unknown[i] = bindings.UnknownKey{Key: valid(unknown.Key), Reason: valid(unknown.Reason)}
	}
	return witTypes.Ok[bindings.Report, bindings.Failure](said)
}

func failure(err error) bindings.Failure {
	var retry *witgate.RetryError
	var unavailable *witgate.UnavailableError
	switch {
	case errors.Is(err, witgate.ErrNotApplicable):
		return bindings.MakeFailureNotApplicable()
	case errors.As(err, &retry):
		return bindings.MakeFailureRetry(retry.Milliseconds)
	case errors.As(err, &unavailable):
		return bindings.MakeFailureUnavailable(valid(err.Error()))
	}
	return bindings.MakeFailureFailed(valid(err.Error()))
}

func attestor() witgate.Attestor {
	exports, ok := exported.Attestor.(witgate.Attestor)
	if !ok {
		panic("the plugin exports no attestor: call witgate.Export in an init function of package main")
	}
	return exports
}

// valid makes any text one that may cross to the host.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
