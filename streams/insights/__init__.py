"""What all customers together show: KPIs, anomalies, clusters and cuts."""
