module witgate.dev/sdk

go 1.26
