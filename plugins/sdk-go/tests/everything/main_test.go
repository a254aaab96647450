package main

import (
	"testing"

	"witgate.dev/sdk/witgatetest"
)

func TestFixtures(t *testing.T) { witgatetest.CheckFixtures(t, attestor{}, "fixtures") }
