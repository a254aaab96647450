// An attestor: the operating system of the workload's own root, as os-release(5) names it.
package main

import (
	"witgate.dev/sdk/files"
	"witgate.dev/sdk/witgate"
)

type attestor struct{}

func (attestor) Describe() witgate.Manifest {
	key := func(key, meaning, example string) witgate.SelectorKey {
		return witgate.SelectorKey{
			Key: key, Meaning: meaning, Example: example,
			DerivedFrom: []string{"files.workload"}, Single: true,
		}
	}
	return witgate.Manifest{Keys: []witgate.SelectorKey{
		key("id", "the operating system, as os-release(5) names it", "debian"),
		key("version", "its version", "12"),
		key("variant", "its variant", "server"),
	}}
}

func (attestor) Attest() (witgate.Report, error) {
	var report witgate.Report
	content, err := osRelease()
	if err != nil {
		return report, err
	}
	values := parse(content)
	if _, named := values["ID"]; !named {
		values["ID"] = "linux"
	}
	for _, of := range [][2]string{{"id", "ID"}, {"version", "VERSION_ID"}, {"variant", "VARIANT_ID"}} {
		if value, found := values[of[1]]; found {
			report.Add(of[0], value)
		}
	}
	return report, nil
}

// osRelease reads the administrator's file, or else the vendor's.
func osRelease() ([]byte, error) {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		content, found, err := files.Read(files.Workload, path)
		if found || err != nil {
			return content, err
		}
	}
	return nil, witgate.ErrNotApplicable
}

func init() { witgate.Export(attestor{}) }

func main() {}
