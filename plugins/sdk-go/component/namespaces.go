//go:build wasip1

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_namespaces"
	"witgate.dev/sdk/namespaces"
)

func init() { namespaces.Provide(ofNamespaces{}) }

type ofNamespaces struct{}

func (ofNamespaces) All() ([]namespaces.Namespace, error) {
	found, err := fact(bindings.All())
	all := make([]namespaces.Namespace, len(found))
	for i, namespace := range found {
		all[i] = namespaces.Namespace(namespace)
	}
	return all, err
}
