//go:build old

package main

import (
	sls "github.com/aliyun/aliyun-log-go-sdk"
)

func (t *try) cursorsOfGroups(_ *sls.LogGroupList, _ int64) {}
