//go:build tools

// Package tools names the S3 server of the tests, so that go.mod pins it.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
