package witgatetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"witgate.dev/sdk/witgate"
)

// CheckFixtures calls the attestor once for each fixture in a folder, as a subtest of its name, and
// compares the outcome with the expected report beside it.
func CheckFixtures(t *testing.T, attestor witgate.Attestor, dir string) {
	t.Helper()
	names, err := fixtureNames(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { checkFixture(t, attestor, filepath.Join(dir, name)) })
	}
}

// Run calls the attestor about the process in a fixture file, with these settings (a JSON object),
// and gives the outcome, for tests of your own.
func Run(t testing.TB, attestor witgate.Attestor, file, settings string) Outcome {
	t.Helper()
	var facts recorded
	if err := readObject(file, facts.fields()); err != nil {
		t.Fatal(err)
	}
	return attest(t, attestor, &facts, settings, nil)
}

const expectedSuffix = ".expected.json"

func checkFixture(t *testing.T, attestor witgate.Attestor, path string) {
	var facts recorded
	if err := readObject(path+".json", facts.fields()); err != nil {
		t.Fatal(err)
	}
	want := expected{Settings: json.RawMessage("{}")}
	err := readObject(path+expectedSuffix, want.fields())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var settings bytes.Buffer
	if err := json.Compact(&settings, want.Settings); err != nil {
		t.Fatal(err)
	}
	got := attest(t, attestor, &facts, settings.String(), want.Wants)
	if err != nil {
		t.Fatalf("there is no %s; if this is right, write it there:\n%s", path+expectedSuffix, got.json())
	}
	for _, difference := range want.differences(got) {
		t.Error(difference)
	}
}

func fixtureNames(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if !strings.HasSuffix(file, expectedSuffix) {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no fixture in %s", dir)
	}
	return names, nil
}
