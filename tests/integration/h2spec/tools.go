//go:build tools

// Package h2spec names the program that the test builds, so that go.mod pins it.
package h2spec

import _ "github.com/summerwind/h2spec/cmd/h2spec"
