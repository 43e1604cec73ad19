"""Other tracing SDKs, each set up as its documentation says."""
