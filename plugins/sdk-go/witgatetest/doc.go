// Package witgatetest tests an attestor natively: the functions of the SDK are answered by a
// recorded process, and the outcome is compared with what is expected. No component is built, no
// daemon runs, and a debugger stops where it should.
//
//	func TestFixtures(t *testing.T) {
//		witgatetest.CheckFixtures(t, attestor{}, "fixtures")
//	}
//
// A fixture is a file NAME.json with the facts, as `witgate fixture record` writes it; beside it
// stands NAME.expected.json with the outcome:
//
//	{ "outcome": "reported", "selectors": ["id:debian", "version:12"], "unknown": ["variant"] }
//
// What the daemon checks in a report is checked here as well. What plugin.toml asks for is not:
// `witgate plugin test` runs the component itself over the same files.
package witgatetest
