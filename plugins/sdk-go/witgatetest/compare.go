package witgatetest

import (
	"encoding/json"
	"fmt"
	"slices"
)

// expected is how a call is to end, as NAME.expected.json says it.
type expected struct {
	Outcome   string          `json:"outcome"`
	Reason    *string         `json:"reason,omitempty"`
	Selectors []string        `json:"selectors,omitempty"`
	Unknown   []string        `json:"unknown,omitempty"`
	Settings  json.RawMessage `json:"settings,omitempty"`
	Wants     *[]string       `json:"wants,omitempty"`
}

// fields are its fields as they are named in a file.
func (e *expected) fields() map[string]any {
	return map[string]any{
		"$schema": new(string), "outcome": &e.Outcome, "reason": &e.Reason, "selectors": &e.Selectors,
		"unknown": &e.Unknown, "settings": &e.Settings, "wants": &e.Wants,
	}
}

// differences are what is not as expected, one in a line.
func (e expected) differences(got Outcome) []string {
	var lines []string
	switch {
	case e.Outcome != got.Outcome && !endsAs(got.Outcome, e.Outcome):
		lines = append(lines, fmt.Sprintf("expected %s, got %s", e.Outcome, got))
	case e.Reason != nil && *e.Reason != got.Reason:
		lines = append(lines, fmt.Sprintf("expected the reason %q, got %q", *e.Reason, got.Reason))
	}
	lines = append(lines, compare("selector", e.Selectors, got.Selectors)...)
	return append(lines, compare("unknown key", e.Unknown, got.Unknown)...)
}

// endsAs says whether the daemon makes this of an outcome in the end: a plugin that asks to be asked
// again every time is unavailable.
func endsAs(got, expected string) bool { return got == "retry" && expected == "unavailable" }

func compare(what string, expected, got []string) []string {
	var lines []string
	for _, word := range expected {
		if !slices.Contains(got, word) {
			lines = append(lines, fmt.Sprintf("- %s %s", what, word))
		}
	}
	for _, word := range got {
		if !slices.Contains(expected, word) {
			lines = append(lines, fmt.Sprintf("+ %s %s", what, word))
		}
	}
	return lines
}

// String is the outcome in a line.
func (o Outcome) String() string {
	if o.Reason == "" {
		return o.Outcome
	}
	return fmt.Sprintf("%s: %s", o.Outcome, o.Reason)
}

// json is the outcome as it would be expected.
func (o Outcome) json() string {
	text, err := json.MarshalIndent(
		expected{Outcome: o.Outcome, Selectors: o.Selectors, Unknown: o.Unknown}, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
