package main

import (
	"testing"

	"witgate.dev/sdk/witgatetest"
)

// Each process in fixtures/ is attested, and the report compared with the expected one beside it.
func TestFixtures(t *testing.T) {
	witgatetest.CheckFixtures(t, attestor{}, "fixtures")
}
