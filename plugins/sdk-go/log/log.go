// Package log writes lines for the operator. Every plugin may use it. They are rate-limited, cut at
// 1024 bytes and escaped; standard output and standard error of the plugin end there too.
package log

import "witgate.dev/sdk/internal/provided"

// Level is how much a line matters.
type Level uint8

const (
	// LevelDebug is for the author of the plugin.
	LevelDebug Level = iota
	// LevelInfo is for the operator, when looking.
	LevelInfo
	// LevelWarn is something the operator should look at.
	LevelWarn
	// LevelError says that the plugin cannot do its work.
	LevelError
)

// Debug writes a line for the author of the plugin.
func Debug(message string) { by.Get().Write(LevelDebug, message) }

// Info writes a line for the operator, when looking.
func Info(message string) { by.Get().Write(LevelInfo, message) }

// Warn writes something the operator should look at.
func Warn(message string) { by.Get().Write(LevelWarn, message) }

// Error writes that the plugin cannot do its work.
func Error(message string) { by.Get().Write(LevelError, message) }

// Provider writes the lines.
type Provider interface {
	Write(level Level, message string)
}

var by = provided.By[Provider]{Interface: "log"}

// Provide says who writes; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
