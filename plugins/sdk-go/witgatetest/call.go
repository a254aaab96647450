package witgatetest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"witgate.dev/sdk/internal/run"
	"witgate.dev/sdk/witgate"
)

// call is one call of an attestor: what answers it, and what it did with the facts.
type call struct {
	t        testing.TB
	facts    *recorded
	settings string
	wanted   map[string]bool
	read     map[string]bool
	failed   map[string]error
	gone     bool
	kept     map[kept][]byte
}

// Outcome is what came of a call, as the daemon sees it.
type Outcome struct {
	// Outcome is reported, not-applicable, unavailable, failed, retry, bad-output or gone.
	Outcome string
	// Reason of an outcome that has one.
	Reason string
	// Selectors as key:value or key:name:value, sorted.
	Selectors []string
	// Unknown are keys about which nothing can be said, sorted: those that the plugin called unknown
	// and those it left out although a fact of theirs was not read.
	Unknown []string
}

// attest calls the attestor once about this process. Wants are the keys that are wanted; nil is all.
func attest(
	t testing.TB, attestor witgate.Attestor, facts *recorded, settings string, wants *[]string,
) Outcome {
	t.Helper()
	c := &call{
		t: t, facts: facts, settings: settings,
		read: map[string]bool{}, failed: map[string]error{}, kept: map[kept][]byte{},
	}
	if wants != nil {
		c.wanted = set(*wants)
	}
	defer c.provide()()
	manifest := attestor.Describe()
	if err := run.Validate(attestor, settings); err != nil {
		t.Fatalf("it does not take the settings %s: %v", settings, err)
	}
	report, err := run.Attest(attestor)
	if c.gone {
		return Outcome{Outcome: "gone"}
	}
	return c.outcome(manifest, report, err)
}

func (c *call) outcome(manifest witgate.Manifest, report witgate.Report, err error) Outcome {
	var retry *witgate.RetryError
	var unavailable *witgate.UnavailableError
	switch {
	case err == nil:
		return c.judge(manifest, report)
	case errors.Is(err, witgate.ErrNotApplicable):
		return Outcome{Outcome: "not-applicable", Unknown: c.unreadable(manifest)}
	case errors.As(err, &retry):
		return Outcome{Outcome: "retry"}
	case errors.As(err, &unavailable):
		return Outcome{Outcome: "unavailable", Reason: err.Error()}
	}
	return Outcome{Outcome: "failed", Reason: err.Error()}
}

func (c *call) wants(key string) bool { return c.wanted == nil || c.wanted[key] }

func set(words []string) map[string]bool {
	members := make(map[string]bool, len(words))
	for _, word := range words {
		members[word] = true
	}
	return members
}

func sorted(words map[string]bool) []string { return slices.Sorted(maps.Keys(words)) }

// text is a selector without the plugin's name.
func text(selector witgate.Selector, named bool) string {
	if named {
		return strings.Join([]string{selector.Key, selector.Name, selector.Value}, ":")
	}
	return selector.Key + ":" + selector.Value
}
