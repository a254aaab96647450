package run

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
)

// caught makes an error of what was recovered from a panic: `panic: MESSAGE FILE:LINE`.
func caught(value any) error {
	return errors.New("panic: " + message(value) + " " + place())
}

// message is what was panicked with. It does without fmt, which would make every start of every
// component longer.
func message(value any) string {
	switch value := value.(type) {
	case error:
		return value.Error()
	case string:
		return value
	case interface{ String() string }:
		return value.String()
	case int:
		return strconv.Itoa(value)
	default:
		return "(a value that is neither text nor an error)"
	}
}

// place is where the plugin's own code was when it panicked: the innermost call of the package that
// the attestor is in, or of another that is not the standard library's.
func place() string {
	called := calledByUs()
	if len(called) == 0 {
		return "(somewhere)"
	}
	attestor := packageOf(called[len(called)-1].Function)
	for _, frame := range called {
		if in := packageOf(frame.Function); in == attestor || isOfAnAuthor(in) {
			return base(frame.File) + ":" + strconv.Itoa(frame.Line)
		}
	}
	return "(somewhere)"
}

// calledByUs are the calls that were under way below Attest or Validate of this package, innermost
// first.
func calledByUs() []runtime.Frame {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(0, counters[:])])
	var called []runtime.Frame
	for {
		frame, more := frames.Next()
		switch {
		case frame.Function == ours+".Attest" || frame.Function == ours+".Validate":
			return called
		case !strings.HasPrefix(frame.Function, ours+"."):
			called = append(called, frame)
		}
		if !more {
			return called
		}
	}
}

const (
	sdk  = "witgate.dev/sdk/"
	ours = sdk + "internal/run"
)

// isOfAnAuthor says whether a package is neither of this module nor of the standard library, whose
// import paths have no dot in their first element.
func isOfAnAuthor(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(path, sdk)
}

// packageOf is the import path in the name of a function: `a.b/c` of `a.b/c.(*T).Method`. A dot in
// its last element is escaped there, so the first one ends it.
func packageOf(function string) string {
	last := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[last:], ".")
	return function[:last] + name
}

func base(file string) string { return file[strings.LastIndexByte(file, '/')+1:] }
