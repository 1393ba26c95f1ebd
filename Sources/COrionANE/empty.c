// Makes the header-only target a target.
