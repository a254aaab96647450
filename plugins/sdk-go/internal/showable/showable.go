// Package showable knows what the daemon takes for the name or the value of a selector.
package showable

import "unicode/utf8"

const (
	maxName  = 256
	maxValue = 4096
)

// Name says whether it would take a text for a selector's name.
func Name(text string) bool { return fit(text, maxName) }

// Value says whether it would take a text for a selector's value.
func Value(text string) bool { return fit(text, maxValue) }

func fit(text string, max int) bool {
	if text == "" || len(text) > max || !utf8.ValidString(text) {
		return false
	}
	for _, c := range text {
		if hides(c) {
			return false
		}
	}
	return true
}

// hides says whether it is a control character, or one that changes the direction or line of text.
func hides(c rune) bool {
	switch {
	case c < 0x20, 0x7f <= c && c <= 0x9f:
		return true
	case c == 0x61c, c == 0x200e, c == 0x200f, 0x2028 <= c && c <= 0x202e, 0x2066 <= c && c <= 0x2069:
		return true
	}
	return false
}
