//go:build tools

// Package tools names the database of the test cluster, so that go.mod pins it.
package tools

import _ "go.etcd.io/etcd/server/v3"
