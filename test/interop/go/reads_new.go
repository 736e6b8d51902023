//go:build !old

package main

import (
	sls "github.com/aliyun/aliyun-log-go-sdk"
)

// Since the older version the SDK tells the cursor of every group of a pull, counted back from x-log-read-last-cursor.
func (t *try) cursorsOfGroups(list *sls.LogGroupList, begin int64) {
	for i, group := range list.LogGroups {
		t.equal("cursor of the group", group.GetCursor(), cursorOf(begin+int64(i)))
	}
}
