"""Evidence gathered into clusters, pass by pass: identities, labels, a map."""
