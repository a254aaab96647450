module example.com/everything

go 1.26

require witgate.dev/sdk v0.0.0

replace witgate.dev/sdk => ../..
