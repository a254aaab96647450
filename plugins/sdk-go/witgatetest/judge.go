package witgatetest

import (
	"fmt"
	"slices"
	"strings"

	"witgate.dev/sdk/internal/showable"
	"witgate.dev/sdk/witgate"
)

// judge checks a report as the daemon does: all of it is taken, or nothing.
func (c *call) judge(manifest witgate.Manifest, report witgate.Report) Outcome {
	keys := map[string]witgate.SelectorKey{}
	for _, key := range manifest.Keys {
		keys[key.Key] = key
	}
	selectors, reported, problem := c.selectors(keys, report.Selectors)
	if problem == "" {
		problem = contradiction(keys, reported, report.Unknown)
	}
	if problem != "" {
		return Outcome{Outcome: "bad-output", Reason: problem}
	}
	unknown := map[string]bool{}
	for _, said := range report.Unknown {
		unknown[said.Key] = true
	}
	for name, key := range keys {
		if !reported[name] && c.unread(key) != "" {
			unknown[name] = true
		}
	}
	return Outcome{Outcome: "reported", Selectors: sorted(selectors), Unknown: c.wantedOf(unknown)}
}

// selectors gives them as text, and the keys they are of, or says which rule one of them breaks.
func (c *call) selectors(
	keys map[string]witgate.SelectorKey, said []witgate.Selector,
) (selectors, reported map[string]bool, problem string) {
	selectors, reported = map[string]bool{}, map[string]bool{}
	single := map[[2]string]bool{}
	for _, selector := range said {
		key, known := keys[selector.Key]
		once := [2]string{selector.Key, selector.Name}
		switch {
		case !known:
			return nil, nil, fmt.Sprintf("key '%s' is not in the manifest", selector.Key)
		case key.Named != (selector.Name != ""):
			return nil, nil, fmt.Sprintf("key '%s': Named is %v, its name is %q",
				key.Key, key.Named, selector.Name)
		case key.Single && single[once]:
			return nil, nil, fmt.Sprintf("key '%s' is single, and was reported twice", key.Key)
		case c.unread(key) != "":
			return nil, nil, fmt.Sprintf("key '%s' was reported, but %s", key.Key, c.unread(key))
		case !showable.Value(selector.Value) || key.Named && !showable.Name(selector.Name):
			return nil, nil, fmt.Sprintf("key '%s': %q cannot be a selector", key.Key, selector.Value)
		}
		single[once], reported[key.Key] = true, true
		selectors[text(selector, key.Named)] = true
	}
	return selectors, reported, ""
}

// contradiction says which unknown key is none of the plugin's, or was reported as well.
func contradiction(
	keys map[string]witgate.SelectorKey, reported map[string]bool, unknown []witgate.UnknownKey,
) string {
	for _, said := range unknown {
		key, known := keys[said.Key]
		if !known {
			return fmt.Sprintf("key '%s' is not in the manifest", said.Key)
		}
		if reported[key.Key] && key.Single && !key.Named {
			return fmt.Sprintf("key '%s' is single, and was reported and called unknown", key.Key)
		}
	}
	return ""
}

// unread says which facts of a key were not read, and why; nothing if all were.
func (c *call) unread(key witgate.SelectorKey) string {
	var why []string
	for _, fact := range key.DerivedFrom {
		if c.read[fact] {
			continue
		}
		if err := c.failed[fact]; err != nil {
			why = append(why, fmt.Sprintf("`%s` could not be read: %v", fact, err))
		} else {
			why = append(why, fmt.Sprintf("`%s` was not read", fact))
		}
	}
	return strings.Join(why, "; ")
}

// unreadable are the keys that stay unknown although the plugin says "not applicable": a fact of
// theirs was asked for and could not be read.
func (c *call) unreadable(manifest witgate.Manifest) []string {
	unknown := map[string]bool{}
	for _, key := range manifest.Keys {
		for _, fact := range key.DerivedFrom {
			if c.failed[fact] != nil {
				unknown[key.Key] = true
			}
		}
	}
	return c.wantedOf(unknown)
}

func (c *call) wantedOf(keys map[string]bool) []string {
	return slices.DeleteFunc(sorted(keys), func(key string) bool { return !c.wants(key) })
}
