package witgatetest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"witgate.dev/sdk/cache"
	"witgate.dev/sdk/config"
	"witgate.dev/sdk/executable"
	"witgate.dev/sdk/process"
	"witgate.dev/sdk/witgate"
)

// probe is an attestor with three keys whose Attest is up to the test.
type probe func() (witgate.Report, error)

func (probe) Describe() witgate.Manifest {
	credentials, image := []string{"process.credentials"}, []string{"executable.info"}
	return witgate.Manifest{Keys: []witgate.SelectorKey{
		{Key: "uid", DerivedFrom: credentials, Single: true},
		{Key: "label", DerivedFrom: credentials, Named: true},
		{Key: "path", DerivedFrom: image},
	}}
}

func (p probe) Attest() (witgate.Report, error) { return p() }

const known = `{ "process.credentials": { "ok": { "uid": 7, "gid": 8, "groups": [] } } }`

func outcome(
	t *testing.T, facts string, wants *[]string, calls func() (witgate.Report, error),
) Outcome {
	t.Helper()
	var read recorded
	if err := readFields(json.NewDecoder(strings.NewReader(facts)), read.fields()); err != nil {
		t.Fatal(err)
	}
	return attest(t, probe(calls), &read, "{}", wants)
}

func TestARuleThatTheDaemonHasIsARuleHere(t *testing.T) {
	broken := map[string]func(*witgate.Report){
		"key 'nothing' is not in the manifest": func(r *witgate.Report) { r.Add("nothing", "x") },
		"key 'none' is not in the manifest":    func(r *witgate.Report) { r.AddUnknown("none", witgate.ErrDenied) },
		"key 'label': Named is true":           func(r *witgate.Report) { r.Add("label", "x") },
		"key 'uid': Named is false":            func(r *witgate.Report) { r.AddNamed("uid", "x", "x") },
		"reported twice":                       func(r *witgate.Report) { r.Add("uid", "7"); r.Add("uid", "7") },
		"and called unknown":                   func(r *witgate.Report) { r.Add("uid", "7"); r.AddUnknown("uid", witgate.ErrDenied) },
		"`executable.info` was not read":       func(r *witgate.Report) { r.Add("path", "/x") },
		`key 'uid': "\n" cannot be a selector`: func(r *witgate.Report) {
			r.Selectors = append(r.Selectors, witgate.Selector{Key: "uid", Value: "\n"})
		},
	}
	for reason, add := range broken {
		got := outcome(t, known, nil, func() (report witgate.Report, err error) {
			_, err = process.Credentials()
			add(&report)
			return report, err
		})
		if got.Outcome != "bad-output" || !strings.Contains(got.Reason, reason) {
			t.Errorf("expected %q, got %v", reason, got)
		}
	}
}

func TestWhatCannotBeShownIsUnknown(t *testing.T) {
	got := outcome(t, known, nil, func() (report witgate.Report, err error) {
		_, err = process.Credentials()
		report.Add("uid", "a\nb")
		report.AddNamed("label", "", "x")
		report.AddNamed("label", "tier", "web")
		return report, err
	})
	// The path was left out, and its fact was not read.
	want := expected{Outcome: "reported", Selectors: []string{"label:tier:web"}, Unknown: []string{"label", "path", "uid"}}
	if lines := want.differences(got); len(lines) > 0 {
		t.Error(lines)
	}
}

func TestTheEndOfACall(t *testing.T) {
	report := witgate.Report{Selectors: []witgate.Selector{{Key: "uid", Value: "7"}}}
	credentials := `"process.credentials": { "ok": { "uid": 7, "gid": 8, "groups": [] } }`
	known := "{" + credentials + `, "executable.info": { "ok": { "path": "/x" } } }`
	unreadable := "{" + credentials + `, "executable.info": { "err": "denied" } }`
	gone := "{" + credentials + `, "executable.info": { "err": "gone" } }`
	for _, c := range []struct {
		facts, outcome string
		unknown        []string
		err            error
	}{
		{known, "not-applicable", nil, witgate.ErrNotApplicable},
		{unreadable, "not-applicable", []string{"path"}, witgate.ErrNotApplicable},
		{known, "retry", nil, witgate.Retry(20)},
		{known, "unavailable: no socket", nil, witgate.Unavailable("no socket")},
		{known, "failed: oh", nil, errors.New("oh")},
		{gone, "gone", nil, nil},
		{gone, "gone", nil, witgate.ErrNotApplicable},
	} {
		got := outcome(t, c.facts, nil, func() (witgate.Report, error) {
			process.Credentials()
			executable.Info()
			return report, c.err
		})
		if got.String() != c.outcome || strings.Join(got.Unknown, " ") != strings.Join(c.unknown, " ") {
			t.Errorf("expected %s %v, got %s %v", c.outcome, c.unknown, got, got.Unknown)
		}
	}
}

func TestWhatIsNotWantedIsNotCalledUnknown(t *testing.T) {
	got := outcome(t, known, &[]string{"uid"}, func() (report witgate.Report, err error) {
		if config.Wants("path") || !config.Wants("uid") || config.Settings() != "{}" {
			t.Error("the wishes are not those of the fixture")
		}
		return report, nil
	})
	if got.Outcome != "reported" || strings.Join(got.Unknown, " ") != "uid" {
		t.Errorf("got %v with %v", got, got.Unknown)
	}
}

func TestAPanicNamesItsLine(t *testing.T) {
	var none []int
	got := outcome(t, known, nil, func() (witgate.Report, error) {
		_ = none[3] // the line
		return witgate.Report{}, nil
	})
	text, err := os.ReadFile("call_test.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "// the line")
	line := 1 + strings.Count(before, "\n")
	want := "panic: runtime error: index out of range [3] with length 0 call_test.go:" + number(line)
	if got.Outcome != "failed" || got.Reason != want {
		t.Errorf("expected %q, got %q", want, got.Reason)
	}
}

func number(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestWhatACallHasReadIsNotKeptBeyondIt(t *testing.T) {
	facts := `{ "process.comm": { "ok": "sh" }, "executable.info": { "ok": { "path": "/bin/sh" } } }`
	outcome(t, facts, nil, func() (report witgate.Report, err error) {
		refused := func(scope cache.Scope) bool {
			var refused *cache.RefusedError
			return errors.As(cache.Put(scope, "k", nil, 1), &refused)
		}
		if refused(cache.Process) || refused(cache.Cgroup) || refused(cache.Plugin) {
			t.Error("refused before anything was read")
		}
		process.Comm()
		if refused(cache.Process) || !refused(cache.Cgroup) || !refused(cache.Plugin) {
			t.Error("a claimed fact may outlive the call for its own process only")
		}
		executable.Info()
		if !refused(cache.Process) {
			t.Error("an image fact may not outlive the call")
		}
		if cache.Put(cache.Process, strings.Repeat("k", 257), nil, 1) != cache.ErrTooLarge {
			t.Error("a key of 257 bytes was taken")
		}
		return report, nil
	})
}

func TestEveryImageFactIsForgottenWithItsCall(t *testing.T) {
	facts := `{ "executable.info": { "ok": { "path": "/bin/sh" } },
		"executable.doubts": { "ok": ["traced"] }, "executable.sha256": { "ok": "00" } }`
	for name, read := range map[string]func(){
		"executable.doubts": func() { executable.Doubts() },
		"executable.info":   func() { executable.Info() },
		"executable.sha256": func() { executable.SHA256() },
	} {
		outcome(t, facts, nil, func() (report witgate.Report, err error) {
			read()
			var refused *cache.RefusedError
			put := cache.Put(cache.Process, "k", nil, 1)
			if !errors.As(put, &refused) || !strings.Contains(refused.Reason, name) {
				t.Errorf("%s was read and may outlive its call: %v", name, put)
			}
			return report, nil
		})
	}
}

func TestAMistakeInAFixtureIsFoundByFileAndLine(t *testing.T) {
	for text, where := range map[string]string{
		"{\n \"process.pid\": 1\n}":                       ":2: there is no field \"process.pid\"",
		"{\n\n \"process.label\": {\n\"ok\": 1}\n}":       ":3: process.label: json: cannot unmarshal number",
		"{\n \"process.label\": {\n\"err\": \"lost\"}\n}": ":2: process.label: \"lost\" is no error of a fact",
		"{\"process.label\": {}}":                         ":1: process.label: it has to be",
		"{\"process.comm\": {\"ok\": {\"hex\": \"00\"}}}": ":1: process.comm: bytes are a string",
		"{\n \"process.label\"\n}":                        ":3: process.label: expected colon",
		"{\n \"process.label\":\n{\"ok\": \"a\nb\"} }":    ":3: process.label: invalid character",
		"{} {}": ":1: something follows the object",
		"[]":    ":1: it is no object",
		"{\"http.exchanges\": [{\"outcome\": {\"err\": \"lost\"}}]}":   ":1: http.exchanges: \"lost\" is no error of a request",
		"{\"http.exchanges\": [{\"outcome\": {\"err\": {\"a\": 1}}}]}": ":1: http.exchanges: json: cannot unmarshal number",
	} {
		path := filepath.Join(t.TempDir(), "a.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := readObject(path, new(recorded).fields())
		if err == nil || !strings.HasPrefix(err.Error(), path+where) {
			t.Errorf("%s: expected %q, got %v", text, where, err)
		}
	}
}

func TestAFolderWithoutFixturesIsAMistake(t *testing.T) {
	if _, err := fixtureNames(t.TempDir()); err == nil {
		t.Error("an empty folder passed")
	}
}

func TestOutsideOfACallNobodyAnswers(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "process: there is no process to ask about") {
			t.Errorf("got %q", text)
		}
	}()
	process.Credentials()
}
