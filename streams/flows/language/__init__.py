"""What a flow file may say."""
