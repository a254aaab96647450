package run

import (
	"errors"
	"strings"
	"testing"

	"witgate.dev/sdk/files"
	"witgate.dev/sdk/witgate"
)

type plain struct{ attest func() }

func (plain) Describe() witgate.Manifest { return witgate.Manifest{} }

func (p plain) Attest() (witgate.Report, error) {
	p.attest()
	return witgate.Report{Selectors: []witgate.Selector{{Key: "k", Value: "v"}}}, nil
}

type choosy struct{ plain }

func (choosy) Validate(settings string) error {
	if settings == "" {
		panic("settings")
	}
	return errors.New("not " + settings)
}

func TestAPanicIsAnErrorWithItsLine(t *testing.T) {
	var none []int
	// This package stands for an author's in these calls; its own frames are left out, so the
	// place is that of whoever called it.
	cases := map[string]func(){
		"panic: runtime error: index out of range [3] with length 0 ": func() { _ = none[3] },
		"panic: strings: negative Repeat count ":                      func() { strings.Repeat("", -1) },
		"panic: 7 ":                                                   func() { panic(7) },
		"panic: no ":                                                  func() { panic(errors.New("no")) },
		"panic: (a value that is neither text nor an error) ":         func() { panic(struct{}{}) },
		"panic: files: there is no process to ask about here;":        func() { files.Read(files.Host, "/") },
	}
	for start, attest := range cases {
		report, err := Attest(plain{attest})
		if err == nil || !strings.HasPrefix(err.Error(), start) || len(report.Selectors) > 0 {
			t.Errorf("expected %q, got %v and %v", start, err, report)
		}
	}
}

func TestWithoutSettingsOnlyAnEmptyObjectIsTaken(t *testing.T) {
	for _, settings := range []string{"{}", " { } "} {
		if err := Validate(plain{}, settings); err != nil {
			t.Errorf("%q: %v", settings, err)
		}
	}
	for _, settings := range []string{"", "{", "}", "[]", "null", `{"a":1}`} {
		if err := Validate(plain{}, settings); err == nil {
			t.Errorf("%q was taken", settings)
		}
	}
	if err := Validate(choosy{}, "{}"); err.Error() != "not {}" {
		t.Error(err)
	}
	if err := Validate(choosy{}, ""); !strings.HasPrefix(err.Error(), "panic: settings ") {
		t.Error(err)
	}
}

func TestWhoseCodeItIs(t *testing.T) {
	for function, path := range map[string]string{
		"main.attestor.Attest":         "main",
		"example.com/a/b.(*T).Method":  "example.com/a/b",
		"runtime.gopanic":              "runtime",
		"example.com/dotted%2ev2.Func": "example.com/dotted%2ev2",
	} {
		if got := packageOf(function); got != path {
			t.Errorf("%s is in %s, not in %s", function, path, got)
		}
	}
	if isOfAnAuthor("strings") || isOfAnAuthor(sdk+"files") || !isOfAnAuthor("example.com/a") {
		t.Error("whose code it is")
	}
}
