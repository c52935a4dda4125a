package config

import "maps"

// Files are the files that were read: the configuration itself under the key "", and each secret's under the secret's key.
func (c *Config) Files() map[string]string { return maps.Clone(c.files) }
