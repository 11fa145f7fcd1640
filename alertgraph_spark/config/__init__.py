"""Configuration: keys, numbers of the method, formats; a YAML file in, settings or all its problems out."""
