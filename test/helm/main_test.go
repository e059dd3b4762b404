package helm_test

import "flag"

// update has the golden files written anew.
var update = flag.Bool("update", false, "write what the chart renders to testdata") //nolint:gochecknoglobals // a flag of the test binary
