// Package run calls an attestor as the daemon does, in a component and in a test alike.
package run

import (
	"errors"
	"strings"

	"witgate.dev/sdk/witgate"
)

// Attest calls Attest; a panic becomes an error with the line it came from.
func Attest(attestor witgate.Attestor) (report witgate.Report, err error) {
	defer func() {
		if value := recover(); value != nil {
			report, err = witgate.Report{}, caught(value)
		}
	}()
	return attestor.Attest()
}

// Validate checks settings, as an attestor without any would if it has no Validate.
func Validate(attestor witgate.Attestor, settings string) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = caught(value)
		}
	}()
	if validator, ok := attestor.(witgate.Validator); ok {
		return validator.Validate(settings)
	}
	inside, opened := strings.CutPrefix(strings.TrimSpace(settings), "{")
	inside, closed := strings.CutSuffix(inside, "}")
	if !opened || !closed || strings.TrimSpace(inside) != "" {
		return errors.New("this plugin has no settings")
	}
	return nil
}
