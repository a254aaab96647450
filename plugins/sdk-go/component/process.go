//go:build wasip1

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_process"
	"witgate.dev/sdk/process"
)

func init() { process.Provide(ofProcess{}) }

type ofProcess struct{}

func (ofProcess) Credentials() (process.CredentialSet, error) {
	found, err := fact(bindings.Credentials())
	return process.CredentialSet{UID: found.Uid, GID: found.Gid, Groups: found.Groups}, err
}

func (ofProcess) Names() (process.NameSet, error) {
	found, err := fact(bindings.Names())
	names := process.NameSet{User: text(found.User), Group: text(found.Group)}
	for _, group := range found.Groups {
		names.Groups = append(names.Groups, text(group))
	}
	return names, err
}

func (ofProcess) Label() (string, error) { return fact(bindings.Label()) }

func (ofProcess) Privileges() (process.PrivilegeSet, error) {
	found, err := fact(bindings.Privileges())
	return process.PrivilegeSet(found), err
}

func (ofProcess) State() (string, error) { return fact(bindings.State()) }

func (ofProcess) StartTime() (uint64, error) { return fact(bindings.StartTime()) }

func (ofProcess) Comm() ([]byte, error) { return fact(bindings.Comm()) }
