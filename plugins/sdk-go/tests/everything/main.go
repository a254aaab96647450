// An attestor that asks for every fact there is.
package main

import (
	"errors"
	"strconv"

	"witgate.dev/sdk/config"
	"witgate.dev/sdk/log"
	"witgate.dev/sdk/witgate"
)

type attestor struct{}

// keys are the keys with the facts they are derived from.
var keys = [][]string{
	{"credentials", "process.credentials"},
	{"names", "process.names"},
	{"label", "process.label"},
	{"privileges", "process.privileges"},
	{"state", "process.state"},
	{"start-time", "process.start-time"},
	{"comm", "process.comm"},
	{"trusted", "cgroups.trusted"},
	{"claimed", "cgroups.claimed"},
	{"namespace", "namespaces.all"},
	{"executable", "executable.info"},
	{"doubt", "executable.doubts"},
	{"sha256", "executable.sha256"},
	{"parent", "ancestry.parents"},
	{"argument", "cmdline.arguments"},
	{"variable", "environ.variables"},
	{"host-file", "files.host"},
	{"workload-file", "files.workload"},
	{"response", "http.response"},
	{"unit", "systemd.unit"},
	{"cached"},
	{"setting"},
}

func (attestor) Describe() witgate.Manifest {
	var manifest witgate.Manifest
	for _, key := range keys {
		manifest.Keys = append(manifest.Keys, witgate.SelectorKey{
			Key: key[0], Meaning: "all of it", Example: "x",
			// What concerns no fact is derived from one that is always there.
			DerivedFrom: append(key[1:], "process.credentials"), Named: true,
		})
	}
	return manifest
}

func (attestor) Validate(settings string) error {
	if settings != `{"greeting":"hello"}` {
		return errors.New("not the settings of the fixtures")
	}
	return nil
}

func (attestor) Attest() (witgate.Report, error) {
	r := report{}
	// Before any claimed fact is read, which must not be kept.
	r.cache()
	r.process()
	r.cgroups()
	r.namespaces()
	r.executable()
	r.ancestry()
	r.cmdline()
	r.environ()
	r.files()
	r.http()
	r.systemd()
	r.AddNamed("setting", "settings", config.Settings())
	r.AddNamed("setting", "time-left", strconv.FormatBool(config.RemainingMS() > 0))
	r.AddNamed("setting", "wants-unit", strconv.FormatBool(config.Wants("unit")))
	log.Info("everything was asked")
	return r.Report, nil
}

func init() { witgate.Export(attestor{}) }

func main() {}
