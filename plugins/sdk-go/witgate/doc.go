// Package witgate is for writing a witgate attestor in Go.
//
// An attestor looks at the one process of a call, through facts that the daemon hands out, and
// reports selectors. It is a package main whose main function does nothing; `witgate plugin build`
// makes a component of it. A whole plugin:
//
//	package main
//
//	import (
//		"strconv"
//
//		"witgate.dev/sdk/process"
//		"witgate.dev/sdk/witgate"
//	)
//
//	type attestor struct{}
//
//	func (attestor) Describe() witgate.Manifest {
//		return witgate.Manifest{Keys: []witgate.SelectorKey{{
//			Key: "uid", Meaning: "effective user id", Example: "1000",
//			DerivedFrom: []string{"process.credentials"}, Stable: true, Single: true,
//		}}}
//	}
//
//	func (attestor) Attest() (witgate.Report, error) {
//		var report witgate.Report
//		credentials, err := process.Credentials()
//		if err != nil {
//			report.AddUnknown("uid", err)
//			return report, nil
//		}
//		report.Add("uid", strconv.FormatUint(uint64(credentials.UID), 10))
//		return report, nil
//	}
//
//	func init() { witgate.Export(attestor{}) }
//
//	func main() {}
//
// There is a package for each interface of the daemon (process, files, http and so on). In a
// component the daemon answers their functions; in a test a fixture does, see package witgatetest.
//
// Rules that keep an attestor honest:
//
//   - No is not unknown. A key that is left out of the report does not hold, but only if every fact
//     that it is derived from was read in this call. For a fact that cannot be read, say AddUnknown;
//     never guess, and never let one fact cost another's key.
//   - Nothing is kept. Every call of every function runs in a fresh instance, so package variables
//     are set anew each time; what init functions do is paid for in every call.
//   - Small starts fast. What is imported is part of every fresh instance: strings and strconv cost
//     next to nothing; fmt makes every start a sixth longer, and encoding/json with regexp a third.
package witgate
