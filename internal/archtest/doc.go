// Package archtest holds the rules of the architecture that a compiler cannot see, as tests over the
// packages of both modules. The linter's import fences say the same at the line where they are broken;
// these tests hold without any tool but Go.
package archtest
