"""Results over all customers: KPIs, anomalies, clusters and cuts."""
