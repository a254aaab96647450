package showable

import (
	"strings"
	"testing"
)

func TestWhatTheDaemonWouldRefuse(t *testing.T) {
	for _, text := range []string{
		"", "\x00", "\n", "\x7f", "\u0085", "\u061c", "\u200e", "\u200f", "\u2028", "\u202e", "\u2066", "\u2069",
		"\xff", "a\xc3", strings.Repeat("v", 4097),
	} {
		if Value(text) {
			t.Errorf("%q was taken for a value", text)
		}
	}
	for _, text := range []string{"a", "ünïcöde", "\u2027\u202f\u2065\u206a", strings.Repeat("v", 4096)} {
		if !Value(text) {
			t.Errorf("%q was not taken for a value", text)
		}
	}
	if Name(strings.Repeat("n", 257)) || !Name(strings.Repeat("n", 256)) {
		t.Error("the limit of a name is not 256 bytes")
	}
}
