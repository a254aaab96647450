module example.com/os-attestor

go 1.26

require witgate.dev/sdk v0.0.0

// The SDK that this project was made with.
replace witgate.dev/sdk => ./../../../plugins/sdk-go
