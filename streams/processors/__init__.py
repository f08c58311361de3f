"""What stands behind the three doorways: from batches to outputs, around the pure parts."""
