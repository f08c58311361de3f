"""The command line's commands, one file each; what they use is imported when they run, so that help comes at once."""
