package main

import (
	"strings"
	"unicode/utf8"
)

// parse reads the assignments of os-release(5). The last line of a name wins; what is not UTF-8 or
// no assignment is skipped.
func parse(content []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.SplitSeq(string(content), "\n") {
		line = strings.TrimSpace(line)
		name, value, assignment := strings.Cut(line, "=")
		if assignment && !strings.HasPrefix(line, "#") && utf8.ValidString(line) {
			values[strings.TrimSpace(name)] = unquoted(strings.TrimSpace(value))
		}
	}
	return values
}

// unquoted takes the quotes off a value: single ones mean what stands between them, between double
// ones a backslash escapes.
func unquoted(value string) string {
	if len(value) < 2 || value[0] != value[len(value)-1] {
		return value
	}
	switch inside := value[1 : len(value)-1]; value[0] {
	case '\'':
		return inside
	case '"':
		return unescaped(inside)
	}
	return value
}

func unescaped(text string) string {
	var plain strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0 {
			i++
		}
		plain.WriteByte(text[i])
	}
	return plain.String()
}
